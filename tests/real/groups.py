"""Coarse groups of ImageNet's classes, by index and name. A class outside of every group has none of the concepts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

GROUPS: dict[str, str] = {
    "dog": "151 Chihuahua - 268 Mexican hairless",
    "wild canine": "269 timber wolf - 280 grey fox",
    "cat": "281 tabby - 285 Egyptian cat",
    "big cat": "286 cougar - 293 cheetah",
    "bear": "294 brown bear - 297 sloth bear; 388 giant panda",
    "hoofed animal": "339 sorrel - 355 llama",
    "primate": "365 orangutan - 384 indri",
    "bird": "7 cock - 24 great grey owl; 80 black grouse - 100 black swan; 127 white stork - 146 albatross",
    "fish": "0 tench - 6 stingray; 389 barracouta - 397 puffer",
    "amphibian": "25 European fire salamander - 32 tailed frog",
    "reptile": "33 loggerhead - 50 American alligator; 52 thunder snake - 68 sidewinder",
    "insect": "300 tiger beetle - 326 lycaenid",
    "spider": "72 black and gold garden spider - 77 wolf spider",
    "crustacean": "118 Dungeness crab - 125 hermit crab",
    "road vehicle": (
        "407 ambulance; 408 amphibian; 436 beach wagon; 468 cab; 511 convertible; 555 fire engine; 569 garbage truck; "
        "573 go-kart; 575 golfcart; 609 jeep; 627 limousine; 654 minibus; 656 minivan; 661 Model T; 675 moving van; "
        "717 pickup; 734 police van; 751 racer; 757 recreational vehicle; 779 school bus; 803 snowplow; "
        "817 sports car; 864 tow truck; 866 tractor; 867 trailer truck; 874 trolleybus"
    ),
    "train": (
        "466 bullet train; 547 electric locomotive; 565 freight car; 705 passenger car; 820 steam locomotive; "
        "829 streetcar"
    ),
    "boat": (
        "403 aircraft carrier; 472 canoe; 484 catamaran; 510 container ship; 554 fireboat; 576 gondola; 625 lifeboat; "
        "628 liner; 724 pirate; 780 schooner; 814 speedboat; 833 submarine; 871 trimaran; 914 yawl"
    ),
    "aircraft": "404 airliner; 405 airship; 417 balloon; 812 space shuttle; 895 warplane; 908 wing",
    "furniture": (
        "423 barber chair; 431 bassinet; 453 bookcase; 493 chiffonier; 495 china cabinet; 516 cradle; 520 crib; "
        "526 desk; 532 dining table; 553 file; 559 folding chair; 564 four-poster; 703 park bench; 736 pool table; "
        "765 rocking chair; 831 studio couch; 857 throne; 894 wardrobe"
    ),
    "musical instrument": (
        "401 accordion; 402 acoustic guitar; 420 banjo; 432 bassoon; 486 cello; 494 chime; 513 cornet; 541 drum; "
        "546 electric guitar; 558 flute; 566 French horn; 577 gong; 579 grand piano; 593 harmonica; 594 harp; "
        "641 maraca; 642 marimba; 683 oboe; 684 ocarina; 687 organ; 699 panpipe; 776 sax; 822 steel drum; "
        "875 trombone; 881 upright; 889 violin"
    ),
    "clothing": (
        "399 abaya; 400 academic gown; 411 apron; 445 bikini; 459 brassiere; 474 cardigan; 501 cloak; 568 fur coat; "
        "578 gown; 601 hoopskirt; 608 jean; 610 jersey; 614 kimono; 617 lab coat; 638 maillot - 639 maillot; "
        "652 military uniform; 655 miniskirt; 689 overskirt; 697 pajama; 735 poncho; 775 sarong; 824 stole; 834 suit; "
        "841 sweatshirt; 842 swimming trunks; 869 trench coat; 887 vestment"
    ),
    "food": "924 guacamole - 957 pomegranate; 959 carbonara - 967 espresso; 969 eggnog",
    "building": (
        "425 barn; 437 beacon; 442 bell cote; 449 boathouse; 483 castle; 497 church; 498 cinema; "
        "500 cliff dwelling; 538 dome; 580 greenhouse; 660 mobile home; 663 monastery; 668 mosque; 698 palace; "
        "727 planetarium; 743 prison; 832 stupa; 853 thatch; 858 tile roof; 873 triumphal arch; "
        "915 yurt"
    ),
    "electronic device": (
        "481 cassette; 482 cassette player; 485 CD player; 487 cellular telephone; 508 computer keyboard; "
        "527 desktop computer; 590 hand-held computer; 592 hard disc; 605 iPod; 620 laptop; 632 loudspeaker; "
        "662 modem; 664 monitor; 673 mouse; 681 notebook; 713 photocopier; 742 printer; 754 radio; "
        "761 remote control; 782 screen; 848 tape player; 851 television"
    ),
    "landscape": "970 alp; 972 cliff - 980 volcano",
}
"""Group -> members: `index name`, or `first - last` for all classes between the two. Names are the first synonyms."""

_MEMBER = re.compile(r"(\d+) (.+)")


def members(group: str, names: Sequence[str]) -> list[int]:
    """Class indices of a group, ascending.

    Parameters
    ----------
    names:
        Names of all classes by index, synonyms behind commas.

    Raises
    ------
    ValueError
        If an index of the list does not have the name that stands beside it, or stands twice.
    """
    found: list[int] = []
    for part in GROUPS[group].split(";"):
        ends = [_checked(end.strip(), names) for end in part.split(" - ")]
        found += range(ends[0], ends[-1] + 1)
    if any(one >= other for one, other in pairwise(found)):
        raise ValueError(f"the classes of group '{group}' do not ascend: {found}")
    return found


def _checked(text: str, names: Sequence[str]) -> int:
    match = _MEMBER.fullmatch(text)
    if match is None:
        raise ValueError(f"'{text}' is no class: expected `index name`")
    index, name = int(match[1]), match[2]
    if names[index].split(",")[0] != name:
        raise ValueError(f"class {index} is '{names[index]}', not '{name}'")
    return index

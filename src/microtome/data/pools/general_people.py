"""People: who they are, what they do, what they feel, parts of the body, events."""

from __future__ import annotations

from microtome.data.pools.general_phrases import Phrases

PEOPLE = (
    Phrases(
        "person",
        ("A photo of {a_word}", "A portrait of {a_word}"),
        """man, woman, boy, girl, baby, toddler, teenager, young adult, elderly man, elderly woman, bride, groom,
        couple, family, mother and child, father and child, set of twins, grandmother, bald man, bearded man, woman
        with long hair, woman with curly hair, person with red hair, person with freckles, person with a mustache,
        tourist, hiker, beggar, fan in a crowd, stranger""",
    ),
    Phrases(
        "person",
        ("A photo of {a_word}",),
        """doctor, nurse, dentist, surgeon, pharmacist, teacher, professor, scientist, engineer, architect,
        carpenter, plumber, electrician, bricklayer, mechanic, welder, blacksmith, potter, tailor, shoemaker,
        jeweler, butcher, baker, chef, waiter, bartender, farmer, shepherd, fisherman, gardener, lumberjack, miner,
        sailor, pilot, astronaut, truck driver, train conductor, mail carrier, firefighter, police officer, soldier,
        judge, lawyer, politician, king, queen, priest, monk, nun, rabbi, imam, journalist, photographer, painter,
        sculptor, writer, actor, clown, magician, acrobat, ballet dancer, musician, model, hairdresser, cashier,
        librarian, office worker, street vendor, janitor, beekeeper, referee, lifeguard, spy, detective, knight,
        pirate, cowboy, samurai, gladiator, robber""",
    ),
    Phrases(
        "emotion",
        ("{a_word} face", "A mood that feels {word}"),
        """happy, sad, angry, frightened, surprised, disgusted, bored, excited, calm, anxious, proud, ashamed,
        lonely, loving, jealous, confused, hopeful, desperate, tired, playful, serious, shy, confident, nostalgic,
        melancholy, peaceful, gloomy, cheerful, tense, romantic, mysterious, eerie, threatening, joyful, tender,
        curious, suspicious, relaxed, worried, grieving""",
    ),
    Phrases(
        "action",
        ("Somebody {word}",),
        """running, walking, jumping, climbing, crawling, falling, sitting, kneeling, lying down, sleeping, yawning,
        eating, drinking, cooking, baking, washing dishes, cleaning, sweeping, painting a wall, drawing, writing,
        reading, typing, talking, whispering, shouting, laughing, crying, singing, dancing, clapping, waving,
        pointing, hugging, kissing, shaking hands, fighting, arguing, praying, meditating, stretching, lifting,
        carrying, pushing, pulling, throwing, catching, digging, planting, harvesting, fishing, hunting, shopping,
        paying, waiting, hitchhiking, driving, flying, diving, floating, building, hammering, sawing, sewing,
        knitting, shaving, brushing teeth, bathing, taking a photo, watching television, playing a board game,
        playing cards, playing with a ball, marching, hiding, searching, juggling, blowing bubbles, camping""",
    ),
    Phrases(
        "sport",
        ("A photo of {word}", "Athletes who compete in {word}"),
        """soccer, basketball, baseball, American football, rugby, cricket, tennis, table tennis, badminton,
        volleyball, golf, ice hockey, field hockey, lacrosse, handball, water polo, bowling, billiards, darts,
        archery, fencing, boxing, wrestling, judo, karate, sumo, gymnastics, sprinting, hurdles, high jump, pole
        vault, javelin throw, shot put, marathon running, weightlifting, swimming, platform diving, rowing, sailing,
        surfing, windsurfing, water skiing, alpine skiing, ski jumping, snowboarding, figure skating, speed skating,
        bobsleigh, curling, cycling, motor racing, horse racing, show jumping, skateboarding, rock climbing,
        parachuting, yoga, polo""",
    ),
    Phrases(
        "body",
        ("A close view of {word}",),
        """a hand, two hands, a fist, a pointing finger, a thumb, an arm, an elbow, a shoulder, a back, a chest, a
        belly, a leg, a knee, a foot, bare feet, a head, a face in profile, an eye, an eyebrow, an ear, a nose, a
        mouth, red lips, a smile with teeth, a tongue, a chin, a beard, a mustache, a braid of hair, blond hair,
        curly hair, gray hair, a tattooed arm, wrinkled skin, a skeleton, a skull, a human heart, a brain, a paw, a
        tail, a pair of wings, horns, a beak, a hoof, whiskers, claws, a snout, a fin""",
    ),
    Phrases(
        "event",
        ("A photo of {word}", "People at {word}"),
        """a wedding, a funeral, a birthday party, a graduation ceremony, a baptism, a parade, a carnival, a music
        festival, a street protest, a political rally, a press conference, a trade fair, a science fair, an auction,
        a picnic, a barbecue, a banquet, a dinner party, a fireworks display, Christmas morning, Halloween night,
        Easter Sunday, New Year's Eve, Diwali, Ramadan, Thanksgiving dinner, a school reunion, a costume party, a
        car crash, a house fire, an earthquake, a shipwreck, a rescue, a war, a coronation, a religious procession,
        a rodeo, a circus show, a puppet show, a theater play, a fashion show, a book signing, a job interview, a
        business meeting, a lecture, a moon landing""",
    ),
)
"""Phrases about people."""

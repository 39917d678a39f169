"""The world outdoors: animals, plants, places, countries, weather, time, season."""

from __future__ import annotations

from microtome.data.pools.general_phrases import Phrases

NATURE = (
    Phrases(
        "animal",
        ("A photo of {a_word}",),
        """lion, tiger, leopard, cheetah, wolf, fox, brown bear, polar bear, panda, koala, kangaroo, elephant,
        rhinoceros, hippopotamus, giraffe, zebra, antelope, deer, moose, bison, camel, gorilla, chimpanzee,
        orangutan, baboon, lemur, sloth, anteater, armadillo, hedgehog, porcupine, squirrel, beaver, otter, badger,
        raccoon, skunk, rabbit, hare, field mouse, rat, mole, fruit bat, seal, walrus, dolphin, orca, humpback
        whale, shark, stingray, salmon, tuna, seahorse, clownfish, eel, octopus, squid, jellyfish, starfish, crab,
        lobster, shrimp, snail, slug, earthworm, spider, scorpion, ant, honeybee, wasp, ladybug, beetle, butterfly,
        moth, dragonfly, grasshopper, mosquito, caterpillar, frog, toad, salamander, lizard, chameleon, iguana,
        gecko, crocodile, tortoise, sea turtle, rattlesnake, cobra, python, eagle, hawk, falcon, owl, vulture, crow,
        sparrow, robin, woodpecker, hummingbird, parrot, flamingo, pelican, seagull, swan, heron, stork, peacock,
        ostrich, penguin, puffin, kingfisher""",
    ),
    Phrases(
        "animal",
        ("A photo of {a_word}", "{a_word} on a farm or in a home"),
        """dog, puppy, cat, kitten, horse, donkey, cow, bull, goat, sheep, lamb, pig, rooster, hen, duckling, goose,
        guinea fowl, hamster, guinea pig, goldfish, canary, poodle, greyhound, dalmatian, siamese cat, pony, llama""",
    ),
    Phrases(
        "plant",
        ("A photo of {a_word}", "{a_word} in a garden"),
        """rose, tulip, daisy, sunflower, orchid, lily, daffodil, poppy, iris, carnation, dandelion, marigold, water
        lily, lotus, hibiscus, thistle, cactus, aloe, fern, ivy vine, bonsai tree, palm tree, oak tree, pine tree,
        birch tree, willow tree, maple tree, cherry tree in bloom, olive tree, apple tree, fir tree, baobab,
        eucalyptus tree, bamboo grove, hedge bush, clover, seedling, mushroom, toadstool, patch of moss, bed of
        reeds, grapevine, wheat stalk, corn plant, lavender bush, bouquet of wildflowers, tree stump, bare tree,
        hollow trunk, dry leaf, flower bud, pine cone, acorn, bunch of petals, tangle of roots, succulent, venus
        flytrap, magnolia""",
    ),
    Phrases(
        "place",
        ("A view of {a_word}",),
        """beach, desert, rainforest, pine forest, meadow, prairie, savanna, swamp, marsh, mountain range, volcano,
        canyon, cliff, cave, glacier, waterfall, river, lake, pond, stream, island, coral reef, coastline, fjord,
        valley, sand dune, oasis, hot spring, vineyard, orchard, rice paddy, wheat field, cow pasture, vegetable
        garden, city park, playground, city street, narrow alley, town square, highway, country road, dirt track,
        intersection, parking lot, harbor, pier, train platform, airport runway, subway station, construction site,
        junkyard, quarry, coal mine, cemetery, campsite, golf course, ski slope, swimming pool, amusement park,
        outdoor market, fairground, battlefield, suburb, shanty town, fishing village, skyline, rooftop terrace,
        backyard, courtyard, riverbank""",
    ),
    Phrases(
        "place",
        ("The inside of {a_word}", "{a_word} with nobody in it"),
        """kitchen, bedroom, bathroom, living room, dining room, attic, basement, garage, hallway, staircase,
        office, classroom, laboratory, library, bookstore, supermarket, bakery, butcher's shop, barbershop,
        restaurant, coffee shop, bar, nightclub, concert hall, movie theater, art gallery, waiting room, hospital
        ward, operating room, courtroom, prison cell, factory hall, warehouse, workshop, gym, locker room, ballroom,
        elevator, airplane cabin, train carriage, bus, tent, greenhouse, wine cellar, nursery, laundromat, server
        room, sauna""",
    ),
    Phrases(
        "place",
        ("A photo taken in {word}",),
        """France, Italy, Spain, Portugal, Germany, England, Scotland, Ireland, Norway, Sweden, Iceland, Greece,
        Turkey, Russia, Poland, Switzerland, the Netherlands, Egypt, Morocco, Kenya, South Africa, Nigeria,
        Ethiopia, India, Nepal, China, Japan, South Korea, Thailand, Vietnam, Indonesia, the Philippines, Mongolia,
        Iran, Israel, Saudi Arabia, Australia, New Zealand, Canada, the United States, Alaska, Hawaii, California,
        Texas, New York City, Mexico, Cuba, Brazil, Argentina, Peru, Chile, Colombia, Paris, London, Rome, Venice,
        Tokyo, Hong Kong, Dubai, Antarctica, the Arctic, the Alps, the Himalayas, the Sahara, the Mediterranean, the
        Caribbean""",
    ),
    Phrases(
        "weather",
        ("{word}", "A picture that shows {word}"),
        """rain, heavy rain, a light drizzle, a thunderstorm, lightning, hail, a snowstorm, a blizzard, light
        snowfall, sleet, dense fog, morning mist, haze, a sandstorm, a tornado, a hurricane, strong wind, a gentle
        breeze, a flood, a drought, a heat wave, hard frost, a clear sunny day, an overcast day, a day with
        scattered clouds, a rainbow after rain, a gathering storm, freezing cold, sultry heat, a monsoon, smog, a
        cloudless sky, thick storm clouds, an icy gale, a break in the clouds, dew on the ground, puddles after a
        shower""",
    ),
    Phrases(
        "time",
        ("A picture taken {word}", "A street {word}"),
        """at dawn, at sunrise, in the early morning, at midday, in the afternoon, at sunset, at dusk, in the
        evening, at night, at midnight, during a lunar eclipse, before first light, in the blue hour, late at night,
        in the nineteenth century, in the Middle Ages, in ancient times, in the 1920s, in the 1950s, in the 1970s,
        in the 1990s, in the far future, in prehistoric times, in wartime, in the present day""",
    ),
    Phrases(
        "time",
        ("{word}",),
        """a clock at noon, a clock at half past three, a sundial, the last minute before a deadline, an old thing
        worn by the years, something brand new, a before and after comparison, a moment frozen in time, the night
        sky over hours, a sunrise over the sea, a sunset behind mountains""",
    ),
    Phrases(
        "season",
        ("A landscape in {word}", "A forest in {word}", "A city in {word}", "People outdoors in {word}"),
        """spring, summer, autumn, winter, early spring, late summer, late autumn, midwinter, the rainy season, the
        dry season, the harvest season""",
    ),
    Phrases(
        "season",
        ("A day in {word}", "A calendar page for {word}"),
        "January, February, March, April, May, June, July, August, September, October, November, December",
    ),
)
"""Phrases about the world outdoors."""

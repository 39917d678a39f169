"""Made things: objects, tools, furniture, food, vehicles, buildings, clothing, instruments."""

from __future__ import annotations

from microtome.data.pools.general_phrases import Phrases

THINGS = (
    Phrases(
        "object",
        ("A photo of {a_word}", "{a_word} on a table"),
        """bottle, cup, mug, wine glass, teapot, kettle, frying pan, plate, bowl, fork, spoon, jar, basket, bucket,
        cardboard box, suitcase, backpack, wallet, key, padlock, coin, banknote, candle, matchbox, lighter,
        flashlight, light bulb, lantern, vase, picture frame, hand mirror, alarm clock, wristwatch, hourglass,
        umbrella, book, notebook, envelope, postcard, newspaper, calendar, globe, compass, magnifying glass, pair of
        binoculars, microscope, telescope, thermometer, syringe, pill bottle, bandage, toothbrush, bar of soap,
        comb, hairbrush, razor, perfume bottle, lipstick, necklace, diamond ring, teddy bear, doll, toy car, toy
        train, balloon, kite, jigsaw puzzle, pair of dice, deck of cards, chess set, trophy, medal, flag, mask,
        puppet, snow globe, gift box, piggy bank, ashtray, pipe, fishing rod, birdcage, dog collar, flower pot,
        watering can, garden gnome""",
    ),
    Phrases(
        "object",
        ("A photo of {a_word}",),
        """hammer, screwdriver, wrench, pair of pliers, handsaw, chainsaw, electric drill, axe, shovel, rake,
        pitchfork, wheelbarrow, ladder, paintbrush, tape measure, ruler, pair of scissors, kitchen knife, rolling
        pin, whisk, ladle, grater, corkscrew, can opener, sewing machine, needle and thread, knitting needle,
        clothes iron, broom, mop, vacuum cleaner, sponge, anvil, chisel, crowbar, nail, screw, bolt, gear wheel,
        spring coil, pulley, rope, chain, hook, toolbox, soldering iron, welding torch, sword, bow and arrow, spear,
        shield, cannon, pistol""",
    ),
    Phrases(
        "object",
        ("A photo of {a_word}",),
        """laptop, desktop computer, computer keyboard, computer mouse, monitor, tablet computer, smartphone, rotary
        telephone, television, radio, loudspeaker, pair of headphones, microphone, film camera, video camera,
        printer, projector, remote control, game controller, calculator, circuit board, microchip, hard drive,
        battery, power outlet, extension cord, robot, toaster, microwave oven, refrigerator, washing machine,
        electric fan, hair dryer, typewriter, record player, cassette tape, satellite dish, solar panel,
        oscilloscope, router""",
    ),
    Phrases(
        "object",
        ("A photo of {a_word}",),
        """wooden chair, armchair, rocking chair, bar stool, sofa, park bench, coffee table, dining table, desk,
        bookshelf, wardrobe, chest of drawers, bed, bunk bed, crib, hammock, mattress, pillow, rug, chandelier,
        floor lamp, fireplace, bathtub, sink, toilet, shower cabin, wall clock, grandfather clock, tall mirror,
        piano bench, filing cabinet, coat rack, ottoman, throne, folding screen""",
    ),
    Phrases(
        "food",
        ("A photo of {word}", "A meal with {word}"),
        """bread, toast, pancakes, waffles, scrambled eggs, bacon, sausages, cheese, butter, yogurt, rice, noodles,
        spaghetti, lasagna, pizza slices, hamburgers, hot dogs, sandwiches, tacos, burritos, sushi, dumplings,
        curry, stew, soup, salad, french fries, mashed potatoes, roast chicken, steak, meatballs, fried fish,
        oysters, mussels, tofu, beans, lentils, peas, carrots, broccoli, cauliflower, cabbage, spinach, lettuce,
        tomatoes, cucumbers, peppers, onions, garlic, pumpkin, sweet corn, eggplant, avocado, apples, pears,
        bananas, oranges, lemons, grapes, strawberries, blueberries, raspberries, cherries, peaches, plums,
        pineapple, mango, watermelon, coconut, kiwi fruit, figs, walnuts, almonds, peanuts, chocolate, cookies,
        muffins, donuts, croissants, pretzels, cupcakes, birthday cake, apple pie, ice cream, candy, popcorn, jelly,
        honey, spices""",
    ),
    Phrases(
        "food",
        ("A photo of {word}", "Somebody holding {word}"),
        """a glass of water, a cup of coffee, a cup of tea, a glass of milk, a glass of orange juice, a pint of
        beer, a glass of red wine, a glass of champagne, a cocktail, a milkshake, a can of soda, a smoothie, hot
        chocolate, lemonade, whiskey with ice, a bottle of sake, an espresso, iced tea""",
    ),
    Phrases(
        "vehicle",
        ("A photo of {a_word}",),
        """car, sports car, convertible, taxi, police car, ambulance, fire engine, pickup truck, van, camper van,
        minibus, double-decker bus, school bus, tram, steam train, freight train, high-speed train, subway train,
        bicycle, tricycle, unicycle, motorcycle, scooter, skateboard, roller skate, horse carriage, rickshaw,
        tractor, combine harvester, bulldozer, excavator, tower crane, forklift, dump truck, cement mixer, tank, jet
        fighter, airliner, propeller plane, helicopter, glider, hot air balloon, airship, space rocket, space
        shuttle, sailboat, rowboat, canoe, kayak, speedboat, yacht, ferry, cargo ship, cruise ship, submarine,
        pirate ship, aircraft carrier, raft, snowmobile, dog sled, cable car, wheelchair, shopping cart, stroller,
        race car, limousine, hovercraft""",
    ),
    Phrases(
        "building",
        ("A photo of {a_word}",),
        """house, cottage, log cabin, farmhouse, barn, windmill, water mill, lighthouse, castle, palace, fortress,
        manor, skyscraper, apartment block, office tower, hotel, church, cathedral, mosque, synagogue, temple,
        pagoda, monastery, pyramid tomb, museum, town hall, school building, university hall, hospital, train
        station, airport terminal, gas station, fire station, factory, power plant, cooling tower, oil refinery,
        dam, suspension bridge, stone bridge, aqueduct, triumphal arch, bell tower, water tower, radio tower,
        observatory, stadium, opera house, circus tent, igloo, tepee, tree house, shed, gazebo, glass facade, ruined
        building, shop front, balcony, spiral staircase, wooden door, stained glass window, tiled roof, chimney,
        fountain, monument, statue, phone booth, bunker""",
    ),
    Phrases(
        "clothing",
        ("Somebody wearing {word}",),
        """a t-shirt, a dress shirt, a sweater, a hoodie, a jacket, a raincoat, a fur coat, a suit, a tuxedo, a
        necktie, a bow tie, a vest, jeans, shorts, a skirt, an evening gown, a wedding dress, a kimono, a sari, a
        kilt, a toga, pajamas, a bathrobe, a swimsuit, a bikini, underwear, socks, sneakers, leather boots, high
        heels, sandals, slippers, a baseball cap, a top hat, a cowboy hat, a straw hat, a beret, a turban, a
        headscarf, a crown, a helmet, a hood, a scarf, gloves, mittens, a belt, suspenders, an apron, overalls, a
        lab coat, a uniform, a suit of armor, a spacesuit, a diving suit, a costume, a cape, a face mask,
        sunglasses, eyeglasses, earrings, a bracelet, a veil, a handbag, a life jacket, a safety vest""",
    ),
    Phrases(
        "music",
        ("A photo of {a_word}", "Somebody playing {a_word}"),
        """violin, cello, double bass, harp, acoustic guitar, electric guitar, banjo, mandolin, ukulele, grand
        piano, accordion, church organ, flute, clarinet, oboe, saxophone, trumpet, trombone, tuba, French horn,
        bagpipe, harmonica, drum kit, snare drum, tambourine, xylophone, triangle bell, gong, sitar, synthesizer""",
    ),
    Phrases(
        "music",
        ("{word}",),
        """a page of sheet music, a rock concert, a symphony orchestra, a jazz band, a street musician, a choir, a
        conductor with a baton, a marching band, a singer on stage, a disc jockey at a turntable, musical notes""",
    ),
)
"""Phrases about made things."""

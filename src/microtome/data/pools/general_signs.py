"""What can be read and counted: letters, numerals, writing, symbols, counts."""

from __future__ import annotations

from microtome.data.pools.general_phrases import Phrases

SIGNS = (
    Phrases(
        "letter",
        ("The letter {word}", "A sign with a large {word}", "A word that begins with {word}"),
        "A, B, C, D, E, F, G, H, I, J, K, L, M, N, O, P, Q, R, S, T, U, V, W, X, Y, Z",
    ),
    Phrases(
        "number",
        ("The number {word}", "A jersey with the number {word}", "A door marked {word}"),
        """0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 24, 25, 30, 36, 40, 42, 50,
        64, 75, 99, 100, 365, 500, 1000""",
    ),
    Phrases(
        "number",
        ("{word}",),
        """a row of digits, a phone number, a price tag, a license plate, a bar code, a scoreboard, a page of sums,
        a Roman numeral, a percentage, a speed limit, a dial with numbers, the year 1984, the year 2000""",
    ),
    Phrases(
        "count",
        (
            "{word} objects",
            "A group of {word}",
            "{word} things side by side",
            "A picture with {word} animals in it",
            "Exactly {word} items",
            "{word} people",
        ),
        "two, three, four, five, six, seven, eight, nine, ten, eleven, twelve, fifteen, twenty, fifty, a hundred",
    ),
    Phrases(
        "count",
        ("{word}",),
        """one object alone, a single person, a single animal, a pair of things, a trio, a quartet, half a dozen
        items, a dozen items, many small things, hundreds of things, thousands of people, a few things, several
        things, too many things to count, a crowd, a swarm, a flock, a herd, a heap of things, no objects at all,
        one thing missing from a set, an odd one out, the same thing repeated, one large and two small, nobody in
        the picture, twins, a set of three, a complete collection""",
    ),
    Phrases(
        "text",
        ("{a_word} with words on it", "A photo of {a_word}"),
        """street sign, stop sign, road sign, shop sign, neon sign, billboard, election poster, banner, book cover,
        magazine cover, newspaper page, printed page, handwritten letter, shopping list, sticky note, chalkboard,
        whiteboard, restaurant menu, theater ticket, receipt, business card, identity card, food label, warning
        label, name tag, gravestone, stone plaque, greeting card, protest placard, bumper sticker, printed t-shirt,
        web page, chat message, spreadsheet, line of code, crossword, dictionary page, subtitle, speech bubble,
        presentation slide, diploma""",
    ),
    Phrases(
        "text",
        ("Writing in {word}", "A sign in {word}"),
        """English, French, Arabic, Hebrew, Chinese characters, Japanese characters, Korean script, Cyrillic
        letters, Greek letters, Hindi script, Thai script, Egyptian hieroglyphs, runes, braille, capital letters,
        cursive script, Gothic type, block letters, graffiti letters, gold letters, shaky handwriting, calligraphy""",
    ),
    Phrases(
        "symbol",
        ("{a_word}", "A sign that shows {a_word}"),
        """question mark, exclamation mark, ampersand, hashtag, percent sign, dollar sign, plus sign, equals sign,
        check mark, infinity symbol, pi symbol, peace sign, yin-yang symbol, recycling symbol, radiation symbol,
        biohazard symbol, skull and crossbones, swirl of arrows, arrow pointing left, arrow pointing right, arrow
        pointing up, arrow pointing down, Christian cross, Star of David, crescent and star, musical note, anchor
        emblem, coat of arms, national flag, thumbs-up icon, smiley face, company logo, traffic light symbol, zodiac
        sign, wheelchair symbol""",
    ),
    Phrases(
        "symbol",
        ("{a_word}", "A page with {a_word}"),
        """bar chart, pie chart, line graph, scatter plot, flow chart, family tree diagram, street map, world map,
        subway map, weather map, star chart, floor plan, circuit diagram, exploded drawing, timeline, table of
        numbers, calendar grid, periodic table, math formula, chemical structure, geometry figure, sewing pattern,
        crossword grid, chess diagram, organization chart, seating plan, wiring plan, technical drawing, heat map,
        infographic""",
    ),
)
"""Phrases about what can be read and counted."""

"""How things look: colour, texture, pattern, shape, material, size."""

from __future__ import annotations

from microtome.data.pools.general_phrases import Phrases

LOOK = (
    Phrases(
        "color",
        ("An image with {word} tones", "Something {word}", "Shades of {word}"),
        """red, orange, yellow, green, blue, purple, pink, brown, black, white, grey, crimson, scarlet, maroon,
        burgundy, vermilion, salmon pink, coral, peach, apricot, amber, ochre, mustard yellow, lemon yellow, beige,
        cream, ivory white, tan, khaki, olive green, lime green, mint green, emerald green, forest green, sage
        green, turquoise, teal, cyan, sky blue, navy blue, royal blue, cobalt blue, indigo, lavender, lilac, violet,
        plum, magenta, fuchsia, mauve, hot pink, rust red, chestnut brown, chocolate brown, charcoal grey, silver
        grey""",
    ),
    Phrases(
        "color",
        ("{word}",),
        """a picture in black and white, a sepia picture, pastel colors, neon colors, muted colors, earthy colors,
        bright saturated colors, faded colors, warm colors, cool colors, a single color throughout, two contrasting
        colors, all the colors of the rainbow, many colors at once, a red and white object, a blue and yellow
        object, a black and yellow object, a green and purple object, an orange and blue picture, a pink and gold
        picture, a splash of red on grey, complementary colors, a gradient from blue to pink, a gradient from yellow
        to red, dark colors, pale colors, metallic colors, iridescent colors""",
    ),
    Phrases(
        "texture",
        ("{a_word} surface", "A close view of {a_word} texture"),
        """rough, smooth, bumpy, fuzzy, furry, fluffy, hairy, scaly, feathery, spiky, prickly, grainy, gritty,
        sandy, slimy, sticky, greasy, oily, silky, velvety, woolly, leathery, rubbery, waxy, powdery, crumbly,
        crusty, cracked, wrinkled, crumpled, creased, folded, ridged, grooved, porous, spongy, foamy, bubbly,
        frothy, jagged, splintered, knotty, fibrous, stringy, matted, polished, scratched, peeling, corroded,
        weathered, pitted, pebbly, bristly, ruffled, frayed""",
    ),
    Phrases(
        "pattern",
        ("{a_word} pattern", "A fabric with {a_word} design"),
        """striped, polka dot, checkered, plaid, tartan, floral, paisley, zigzag, chevron, herringbone, houndstooth,
        geometric, spiral, swirling, honeycomb, lattice, brickwork, mosaic, marbled, speckled, spotted, mottled,
        camouflage, leopard print, zebra print, diamond, star, heart, wavy, concentric, crosshatched, kaleidoscopic,
        tie-dye, fractal, scalloped, argyle, gingham, damask, pinstripe, tessellated""",
    ),
    Phrases(
        "shape",
        ("An object in the form of {a_word}", "The outline of {a_word}"),
        """circle, square, triangle, rectangle, oval, pentagon, hexagon, octagon, rhombus, trapezoid, crescent,
        cross, arrow, ring, sphere, cube, cone, cylinder, pyramid, dome, arch, ellipse, semicircle, teardrop, spiral
        curve, helix, torus, wedge, disc, knot, loop, funnel, zigzag line, five-pointed star, love heart, prism,
        grid""",
    ),
    Phrases(
        "shape",
        ("{word}",),
        """long and thin, short and wide, round and smooth, sharp edges and corners, curved lines, straight lines,
        parallel lines, crossing lines, vertical lines, horizontal lines, diagonal lines, a symmetrical form, an
        irregular form, a twisted form, a branching form, a hollow form, a flat form, a tapered form, a pointed tip,
        rounded corners""",
    ),
    Phrases(
        "material",
        ("Something made of {word}", "The surface of {word}"),
        """wood, glass, marble, granite, concrete, brick, clay, porcelain, steel, iron, copper, brass, bronze,
        silver, gold, aluminum, tin, plastic, rubber, leather, cotton, wool, silk, linen, denim, velvet, lace, felt,
        canvas, burlap, paper, cardboard, wax, bamboo, wicker, straw, cork, bone, ivory, crystal, slate, sandstone,
        limestone, plywood, stainless steel, chrome, nylon, polyester, terracotta, jade, obsidian, quartz, amber
        resin, plaster, asphalt, foam, fiberglass, mesh""",
    ),
    Phrases(
        "size",
        ("{a_word} object", "Something {word} in scale", "{a_word} thing beside a person"),
        """tiny, small, miniature, microscopic, little, compact, medium-sized, large, big, huge, giant, enormous,
        massive, towering, oversized, life-sized, pocket-sized, palm-sized, colossal, minuscule""",
    ),
    Phrases(
        "size",
        ("{word}",),
        """a tall thing next to a short one, a big thing next to a small one, a large one among many small ones, a
        row from smallest to largest, something that fills the whole frame, something small in a large empty space,
        a tiny detail, a scale model, an object that fits in a hand, a narrow object, a wide object, a thick object,
        a thin object, a very long object, things of equal size, things of different sizes""",
    ),
)
"""Phrases about the look of things."""

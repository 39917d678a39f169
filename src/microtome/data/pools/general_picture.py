"""How a picture is taken or made: camera, light, art, position, background, quality."""

from __future__ import annotations

from microtome.data.pools.general_phrases import Phrases

PICTURE = (
    Phrases(
        "camera",
        ("{a_word}", "A picture taken as {a_word}"),
        """close-up, extreme close-up, wide-angle shot, aerial view, overhead shot, low-angle shot, high-angle shot,
        panoramic view, macro photograph, telephoto shot, fisheye view, long exposure, double exposure, first-person
        view, side view, front view, rear view, three-quarter view, head-and-shoulders shot, full-length shot, group
        photograph, self-portrait, candid snapshot, studio photograph, drone photograph, satellite photograph,
        underwater photograph, time-lapse photograph, tilt-shift photograph, security camera still, passport
        photograph, product photograph, instant film photograph, webcam image, x-ray image, thermal camera image,
        microscope image, night vision image, infrared photograph, cross-section""",
    ),
    Phrases(
        "camera",
        ("{word}",),
        """a shallow depth of field, everything in sharp focus, motion blur, a tilted horizon, a photo out of focus,
        a view from above, a view from below, a view through a window, a view through a keyhole, a view from behind,
        a view from a distance, a view from a moving car, a view straight down, seen at eye level, a photo framed by
        branches, a photo with the subject cut off, a tightly cropped photo, a vertical photo, a square photo, a
        photo with lens flare, a photo with film grain, a photo with a dark vignette, a photo taken with a flash, a
        photo taken through a fence, a zoomed-in detail, a mirrored image, an image turned upside down, an image
        turned on its side, a split-screen image, a collage of several photos""",
    ),
    Phrases(
        "camera",
        ("{word}",),
        """a blurry picture, a sharp picture, a pixelated picture, a grainy picture, a noisy picture, a
        low-resolution picture, a high-resolution picture, an overexposed picture, an underexposed picture, a
        low-contrast picture, a high-contrast picture, a washed-out picture, a heavily compressed picture, a
        scratched old photograph, a torn photograph, a faded photograph, a damaged film frame, a picture with a
        watermark, a picture with a date stamp, a picture with a white border, a picture with a frame, a picture
        with a caption below, a screenshot of a phone, a screenshot of a computer program, a screenshot of a video
        game, a scanned page, a photocopy, a photo of a screen, a heavily edited photo, an oversaturated photo, a
        photo with a color cast, a photo with rounded corners, a thumbnail image, a cluttered picture, a simple
        picture, an empty picture, a crowded composition, a minimal composition, a balanced composition, a messy
        composition, an amateur photo, a professional photo, a stock photo, a blank image, an image of random noise,
        an image with glitches""",
    ),
    Phrases(
        "light",
        ("{word}", "A picture with {word}"),
        """soft light, harsh light, dim light, bright light, candlelight, firelight, moonlight, starlight, sunlight,
        dappled shade, backlighting, side lighting, overhead lighting, fluorescent light, neon light, warm
        lamplight, cold blue light, golden light, red light, green light, ultraviolet light, a single spotlight,
        strong shadows, long shadows, no shadows, deep darkness, flickering light, diffuse light, reflected light,
        light from a window, stage lighting, colored lights, rays of light through clouds, light through leaves, a
        bright glow, a halo of light, streaks of light, sparkling highlights, a glare on glass, a silhouette against
        the light, reflections in water, reflections in a mirror, headlights in the dark, strings of lights""",
    ),
    Phrases(
        "art style",
        ("{a_word}", "A gallery that shows {a_word}"),
        """oil painting, watercolor painting, acrylic painting, pencil drawing, charcoal drawing, ink drawing,
        crayon drawing, chalk drawing, cartoon, comic strip, woodcut, engraving, etching, fresco, stained glass
        design, marble statue, bronze bust, wood carving, clay model, paper collage, origami figure, graffiti mural,
        tapestry, embroidered picture, icon on gold ground, illuminated manuscript, cave painting, tattoo design,
        line drawing, blueprint, pixel art image, low-polygon render, three-dimensional render, vector illustration,
        children's book illustration, fashion sketch, caricature, movie poster, travel poster, album cover, logo,
        abstract painting, cubist painting, impressionist painting, surrealist painting, pop art print, baroque
        painting, art deco poster, still life painting, landscape painting, portrait in oil, pointillist painting,
        Japanese woodblock print, Chinese ink painting, ancient Greek vase painting, medieval painting, ice
        sculpture, sand sculpture, wire sculpture, doodle""",
    ),
    Phrases(
        "position",
        ("An object {word}", "A person {word}", "The main subject {word}"),
        """on the left, on the right, in the center, at the top, at the bottom, in the upper left corner, in the
        upper right corner, in the lower left corner, in the lower right corner, at the edge of the frame, in the
        foreground, in the far distance, half out of the frame""",
    ),
    Phrases(
        "position",
        ("One thing {word} another", "Two things, one {word} the other"),
        """above, below, behind, in front of, inside, next to, on top of, underneath, leaning against, far from, to
        the left of, to the right of, across from, partly hiding, hanging from, attached to, touching, facing""",
    ),
    Phrases(
        "position",
        ("{word}",),
        """things in a row, things in a circle, things in a pile, things in a stack, things in a line going away,
        things scattered about, things side by side, things spread on a table, things arranged in a grid, things
        facing each other""",
    ),
    Phrases(
        "background",
        ("An object against {word}", "A background of {word}"),
        """a plain white wall, a plain black backdrop, a plain grey backdrop, a blue studio backdrop, a green
        screen, a brick wall, a wooden wall, a tiled wall, a concrete wall, a stone wall, a clear blue sky, a cloudy
        sky, a starry sky, dense foliage, tall grass, fallen leaves, open sea, rolling hills, snowy peaks, city
        buildings, blurred lights, shelves of books, curtains, a wooden table, a tablecloth, a carpet, sand, gravel,
        fresh snow, ice, mud, calm water, rippling water, dark shadow, smoke, flames, a crowd out of focus, a
        chain-link fence, a hedge, a white void, a checkerboard, old newspapers, a map, a blackboard""",
    ),
)
"""Phrases about pictures as pictures."""

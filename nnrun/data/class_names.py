"""What the classes of the built-in data sets are called, in the order of their indices."""

from __future__ import annotations

_NAMES = {
    "fashion_mnist": "T-shirt/top, Trouser, Pullover, Dress, Coat, Sandal, Shirt, Sneaker, Bag, Ankle boot",
    "cifar10": "airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck",
    "cifar100": (
        "apple, aquarium fish, baby, bear, beaver, bed, bee, beetle, bicycle, bottle, bowl, boy, "
        "bridge, bus, butterfly, camel, can, castle, caterpillar, cattle, chair, chimpanzee, clock, "
        "cloud, cockroach, couch, crab, crocodile, cup, dinosaur, dolphin, elephant, flatfish, forest, "
        "fox, girl, hamster, house, kangaroo, keyboard, lamp, lawn mower, leopard, lion, lizard, "
        "lobster, man, maple tree, motorcycle, mountain, mouse, mushroom, oak tree, orange, orchid, "
        "otter, palm tree, pear, pickup truck, pine tree, plain, plate, poppy, porcupine, possum, "
        "rabbit, raccoon, ray, road, rocket, rose, sea, seal, shark, shrew, skunk, skyscraper, snail, "
        "snake, spider, squirrel, streetcar, sunflower, sweet pepper, table, tank, telephone, "
        "television, tiger, tractor, train, trout, tulip, turtle, wardrobe, whale, willow tree, wolf, "
        "woman, worm"
    ),
    "imdb": "negative, positive",
    "reuters": (
        "cocoa, grain, veg-oil, earn, acq, wheat, copper, housing, money-supply, coffee, sugar, trade, "
        "reserves, ship, cotton, carcass, crude, nat-gas, cpi, money-fx, interest, gnp, meal-feed, "
        "alum, oilseed, gold, tin, strategic-metal, livestock, retail, ipi, iron-steel, rubber, heat, "
        "jobs, lei, bop, zinc, orange, pet-chem, dlr, gas, silver, wpi, hog, lead"
    ),
}


def class_names(source: str, classes: int | None) -> tuple[str, ...] | None:
    """The names of a source's classes; their numbers where they have none.

    Args:
        source: A built-in source.
        classes: Their number; None for regression, which has no names.
    """
    if classes is None:
        return None
    if source in _NAMES:
        return tuple(_NAMES[source].split(", "))
    return tuple(str(index) for index in range(classes))

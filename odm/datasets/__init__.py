"""Data sets: samples with labels, and which of them are for training, validation and test."""

from typing import TYPE_CHECKING

from odm.core.lazy import lazy_names

if TYPE_CHECKING:
    from odm.datasets.base import Dataset as Dataset
    from odm.datasets.base import open_dataset as open_dataset
    from odm.datasets.ionogram import IonogramDataset as IonogramDataset
    from odm.datasets.ionogram import IonogramDatasetConfig as IonogramDatasetConfig
    from odm.datasets.ionogram import IonogramSample as IonogramSample
    from odm.datasets.ionogram import load_ionogram_sample as load_ionogram_sample
    from odm.datasets.ionogram import load_segmented_ionogram as load_segmented_ionogram
    from odm.datasets.labels.layers import load_layer_labels as load_layer_labels
    from odm.datasets.labels.regions import load_region_labels as load_region_labels
    from odm.datasets.orbit import OrbitDataset as OrbitDataset
    from odm.datasets.orbit import OrbitDatasetConfig as OrbitDatasetConfig
    from odm.datasets.orbit import OrbitSample as OrbitSample
    from odm.datasets.orbit import load_orbit_sample as load_orbit_sample
    from odm.datasets.splits import IonogramSplit as IonogramSplit
    from odm.datasets.splits import OrbitSplit as OrbitSplit

_HOMES = {
    "Dataset": "base",
    "IonogramDataset": "ionogram",
    "IonogramDatasetConfig": "ionogram",
    "IonogramSample": "ionogram",
    "IonogramSplit": "splits",
    "OrbitDataset": "orbit",
    "OrbitDatasetConfig": "orbit",
    "OrbitSample": "orbit",
    "OrbitSplit": "splits",
    "load_ionogram_sample": "ionogram",
    "load_layer_labels": "labels.layers",
    "load_orbit_sample": "orbit",
    "load_region_labels": "labels.regions",
    "load_segmented_ionogram": "ionogram",
    "open_dataset": "base",
}
__getattr__, __dir__, __all__ = lazy_names(
    __name__, {name: f"{__name__}.{module}" for name, module in _HOMES.items()}
)

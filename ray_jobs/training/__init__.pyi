from .train import train_on_ray as train_on_ray

"""Training: one loop for every task, in plain torch.

`plan_training` checks a training and names its run, `train_here` runs it in this process. Masks
and boxes are the two tasks; `odm.core.kinds.TASKS` names them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

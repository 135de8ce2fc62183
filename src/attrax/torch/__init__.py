"""The door for PyTorch: layers and functions of JAX as modules of PyTorch, and recall of tensors.

```python
import attrax.torch

layer = attrax.torch.Module(jax_layer)       # a torch.nn.Module: parameters, autograd, state_dict
trained = layer.module()                     # the layer of JAX, with what PyTorch has learnt
found = attrax.torch.retrieve(memory, tensor)
```

Nothing else of attrax imports PyTorch.
"""

try:
    import torch as _torch  # noqa: F401 # pyright: ignore[reportMissingImports]
except ModuleNotFoundError as error:
    if error.name != "torch":
        raise
    raise ImportError('attrax.torch needs PyTorch: pip install "attrax[torch]".') from None

from .module import Module as Module
from .reading import retrieve as retrieve

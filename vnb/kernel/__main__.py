"""`python -m vnb.kernel -f CONNECTION_FILE`, which a front end starts the kernel with."""

# First, because where ipykernel is loaded tqdm's bars are widgets, and this kernel has none.
import tqdm.auto  # noqa: F401

# isort: split
from ipykernel.kernelapp import IPKernelApp

from vnb.kernel.kernel import GuestKernel

IPKernelApp.launch_instance(kernel_class=GuestKernel)

"""`python -m vnb.kernel -f CONNECTION_FILE`, which a front end starts the kernel with."""

from ipykernel.kernelapp import IPKernelApp

from vnb.kernel.kernel import GuestKernel

IPKernelApp.launch_instance(kernel_class=GuestKernel)

"""A second, independent model of the hardware, used only to check the product against."""

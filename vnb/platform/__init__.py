"""The board around the hart: interrupts, timers, the serial port, power, and the tree of it all."""

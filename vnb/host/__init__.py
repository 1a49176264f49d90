"""What the computer that runs vnb lends to the guest: disks and terminals."""

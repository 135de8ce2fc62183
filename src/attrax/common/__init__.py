"""What all rooms share: checks of arguments, sums that hold, few shapes, printing, files."""

"""The objectives of ADBench: computer vision, statistics, a recurrent network."""

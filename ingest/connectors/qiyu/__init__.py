"""网易七鱼 service desks."""

"""The planner on published instances with best known values."""

"""Times: dates as people write them, zones, calendars and the regular steps that time stamps keep."""

-- Loads of the raw tables, and which of them the mart doesn't hold yet: of each source those after the newest one that
-- the last finished build held, and before it those that weren't there or have grown since, as a slow load begins
-- before a quick one and ends after it. Where this build ends well, the next one begins here.
{{ loads_of("raw", ["tickets", "ticket_events", "messages", "feedback", "customers", "agents"]) }}

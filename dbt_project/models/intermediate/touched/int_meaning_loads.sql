-- The same of scores and topics.
{{ loads_of("nlp", ["sentiment", "topic_assignment"]) }}

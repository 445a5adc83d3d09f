-- The same of scores, topics and groups of copies.
{{ loads_of("nlp", ["sentiment", "topic_assignment", "copies"]) }}

"""What a lifecycle is: pages as data, and the only reader of them.

units, literal, backoff, expression    what values are, and how they are written
page                                   a page as it is written
read/                                  YAML to pages; the only user of yaml and cattrs
instance, grow, sources, flatten       `use` expanded, names resolved
definition                             the flat page that everything else reads
lint/                                  what keeps a page from loading
schema                                 the JSON Schema of pages
"""

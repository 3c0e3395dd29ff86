SELECT e'a' -- b
  'c\'', 'd' FROM t
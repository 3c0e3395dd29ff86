WITH a AS (SELECT * FROM raw.b x), c AS (TABLE a) SELECT raw.b.id, "Ü".* FROM c JOIN raw.b ON true -- é

-- What the soak loads. Amounts move between accounts, so that together they are the same at any moment.
CREATE TABLE accounts (id int PRIMARY KEY, amount bigint NOT NULL, note text);
CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL, updated_at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE INDEX people_updated_at ON people (updated_at);
CREATE TABLE events (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp(), what text NOT NULL);
INSERT INTO accounts SELECT n, :total / 2000, md5(n::text) FROM generate_series(1, 2000) n;
INSERT INTO people SELECT n, 'person ' || n FROM generate_series(1, 1000) n;
INSERT INTO events (what) SELECT 'event ' || n FROM generate_series(1, 5000) n;
CREATE PROCEDURE change_something() LANGUAGE plpgsql AS $$
DECLARE
    one int := 1 + floor(random() * 2000);
    other int := 1 + floor(random() * 2000);
    sum int := floor(random() * 100);
    person int := 1 + floor(random() * 1000);
BEGIN
    UPDATE accounts SET amount = amount - sum WHERE id = one;
    UPDATE accounts SET amount = amount + sum WHERE id = other;
    INSERT INTO events (what) SELECT 'something ' || n FROM generate_series(1, 3) n;
    IF random() < 0.2 THEN
        DELETE FROM people WHERE id = person;
    ELSE
        INSERT INTO people VALUES (person, 'person ' || random()) ON CONFLICT (id) DO UPDATE SET name = excluded.name, updated_at = clock_timestamp();
    END IF;
END $$;

-- Frames lie in the order of their streams. Who asks for those of the last minutes need not read the
-- whole day: a stream's frames come nearly in the order of their times.
ALTER TABLE popscope.frames ADD INDEX IF NOT EXISTS by_ts ts TYPE minmax GRANULARITY 1;

ALTER TABLE popscope.frames ADD INDEX IF NOT EXISTS by_stored_at stored_at TYPE minmax GRANULARITY 1;

-- For the parts that are there already; in the background.
ALTER TABLE popscope.frames MATERIALIZE INDEX by_ts;

ALTER TABLE popscope.frames MATERIALIZE INDEX by_stored_at;

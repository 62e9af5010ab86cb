-- Whether the increments of a boot begin anew with this frame, for the spool before it was lost.
ALTER TABLE popscope.instances ADD COLUMN IF NOT EXISTS taken_over UInt8 DEFAULT 0;

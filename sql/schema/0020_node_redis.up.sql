-- Nodes say whether Redis counts their limits, so that one that is cut off from it knows that it is alone in that.
ALTER TABLE nodes ADD COLUMN redis boolean NOT NULL DEFAULT false;

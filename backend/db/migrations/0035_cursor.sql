-- A batch's sequences are claimed by one statement that moves the cursor; what of them was stored before is left here for it to return.
ALTER TABLE gateway_log ADD COLUMN known int8multirange NOT NULL DEFAULT '{}';

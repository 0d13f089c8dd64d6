-- Rules are named as all else is that people name: small letters, digits, - and _.

ALTER TABLE rule DROP CONSTRAINT rule_id_check;
ALTER TABLE rule ADD CONSTRAINT rule_id_check CHECK (id ~ '^[a-z0-9][a-z0-9_-]{0,39}$');
ALTER TABLE rule_draft DROP CONSTRAINT rule_draft_rule_id_check;
ALTER TABLE rule_draft ADD CONSTRAINT rule_draft_rule_id_check CHECK (rule_id ~ '^[a-z0-9][a-z0-9_-]{0,39}$');

-- database.sql - run once by the image of PostgreSQL, when the cluster is made: who agentd is there, and its database.
-- No superuser, so that row level security holds for it.
\set password `cat /run/secrets/db_password`
CREATE ROLE agentd LOGIN PASSWORD :'password';
CREATE DATABASE agentd OWNER agentd ENCODING 'UTF8' LOCALE 'C.UTF-8' TEMPLATE template0;

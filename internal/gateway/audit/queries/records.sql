-- name: EnsureMonth :exec
SELECT audit.ensure_month(sqlc.arg(instant)::timestamptz);

-- name: InsertRecords :execrows
-- A batch of which it is not known whether it was written is given again: what is there stays as it is. No conflict is named:
-- that would need the right to read.
INSERT INTO audit.records (at, id, username, session, via, verb, api_group, resource, subresource, namespace, name, path,
    query, allowed, code, reason, source, detail, issuer, subject)
SELECT unnest(@at::timestamptz[]), unnest(@id::uuid[]), unnest(@username::text[]), unnest(@session::text[]),
    unnest(@via::text[]), unnest(@verb::text[]), unnest(@api_group::text[]), unnest(@resource::text[]),
    unnest(@subresource::text[]), unnest(@namespace::text[]), unnest(@name::text[]), unnest(@path::text[]),
    unnest(@query::text[]), unnest(@allowed::boolean[]), unnest(@code::integer[]), unnest(@reason::text[]),
    unnest(@source::text[]), unnest(@detail::text[]), unnest(@issuer::text[]), unnest(@subject::text[])
ON CONFLICT DO NOTHING;

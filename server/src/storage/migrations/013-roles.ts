/** Roles: named sets of scopes, and which resources grant people only what their roles allow. */
import type { Migration } from '../migrate.ts'

export const roles: Migration = {
  name: '013-roles',
  statements: ({ id, bigint }) => [
    // `scopes` is JSON: lists of scopes by the id of their resource.
    `CREATE TABLE roles (
       name ${id} PRIMARY KEY, description TEXT NOT NULL, scopes TEXT NOT NULL, created_at ${bigint} NOT NULL,
       updated_at ${bigint} NOT NULL)`,
    `ALTER TABLE resources ADD COLUMN scopes_by_role INTEGER NOT NULL DEFAULT 0`,
  ],
}

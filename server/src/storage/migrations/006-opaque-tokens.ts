/** A resource chooses the form of its access tokens. */
import type { Migration } from '../migrate.ts'

export const opaqueTokens: Migration = {
  name: '006-opaque-tokens',
  statements: () => [`ALTER TABLE resources ADD COLUMN access_token_format TEXT NOT NULL DEFAULT 'jwt'`],
}

/** How much of an API team's own data is kept with a user. */
import { invalid } from '../kernel/index.ts'

const MOST_METADATA_BYTES = 4_096

export function checkMetadata(metadata: Readonly<Record<string, unknown>> | undefined): void {
  const bytes = metadata === undefined ? 0 : Buffer.byteLength(JSON.stringify(metadata))
  if (bytes > MOST_METADATA_BYTES)
    throw invalid(
      '/metadata',
      `The metadata has ${bytes} bytes of JSON; at most ${MOST_METADATA_BYTES} are kept.`,
    )
}

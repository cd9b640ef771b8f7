/** What a page posts of an authenticator's answer: JSON text, read strictly, and of the form that the library expects. */

/** Longer than any authenticator's answer without attestation. */
export const LONGEST_RESPONSE = 16_000

interface ResponseJson {
  readonly id: string
  readonly rawId: string
  readonly type: 'public-key'
  readonly response: Readonly<Record<string, unknown>>
}

/** Undefined for anything else, an answer from within a frame included: ours are never in one. */
export function readResponse(text: string): ResponseJson | undefined {
  if (text.length > LONGEST_RESPONSE) return undefined
  const json = parsed(text)
  if (typeof json?.['id'] !== 'string' || json['id'] !== json['rawId'] || json['type'] !== 'public-key')
    return undefined
  const { response } = json
  if (typeof response !== 'object' || response === null) return undefined
  const { clientDataJSON } = response as Record<string, unknown>
  if (typeof clientDataJSON !== 'string') return undefined
  const clientData = parsed(Buffer.from(clientDataJSON, 'base64url').toString())
  if (!clientData || clientData['crossOrigin'] === true || 'topOrigin' in clientData) return undefined
  return { ...json, clientExtensionResults: {} } as unknown as ResponseJson
}

/** The challenge that the answer says it is for; anybody's claim until the library has checked the answer. */
export function challengeIn({ response }: ResponseJson): string {
  const clientData = parsed(Buffer.from(String(response['clientDataJSON']), 'base64url').toString())
  return String(clientData?.['challenge'])
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}

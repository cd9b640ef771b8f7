/** Writes a refusal, or the metadata, to Node's response, for the adapters that have one. */
import { metadataAnswer, type MetadataAnswer, type ProtectedResource } from '../protected-resource.ts'
import type { Refusal } from '../refusal.ts'

export interface NodeResponse {
  statusCode: number
  setHeader(name: string, value: string): unknown
  appendHeader?(name: string, value: string | readonly string[]): unknown
  end(body: string): unknown
}

/** Beside those that are set already; nobody may keep such an answer for another caller. */
export function setCookies(response: NodeResponse, cookies: readonly string[]): void {
  response.setHeader('cache-control', 'no-store')
  if (!response.appendHeader)
    throw new TypeError('The response cannot take cookies: it has no appendHeader().')
  for (const cookie of cookies) response.appendHeader('set-cookie', cookie)
}

/** Headers that were set before stay: a page must be able to read the refusal across origins. */
export function sendRefusal(response: NodeResponse, { status, headers, body }: Refusal): void {
  response.statusCode = status
  setHeaders(response, headers)
  response.end(JSON.stringify(body))
}

/** What the handler's answer will have besides its own headers. */
export function setHeaders(response: NodeResponse, headers: Readonly<Record<string, string>>): void {
  for (const name in headers) response.setHeader(name, headers[name] as string)
}

export function sendMetadata(response: NodeResponse, { status, headers, body }: MetadataAnswer): void {
  response.statusCode = status
  setHeaders(response, headers)
  response.end(body)
}

/** Middleware in the style of Express: answers requests for the metadata (RFC 9728), and lets all others go on. */
export function serveMetadata(resource: ProtectedResource): (
  request: {
    readonly method?: string | undefined
    readonly originalUrl?: string
    readonly url?: string | undefined
  },
  response: NodeResponse,
  next: () => void,
) => void {
  return (request, response, next) => {
    const answer = metadataAnswer(resource, request.method, request.originalUrl ?? request.url)
    if (answer) sendMetadata(response, answer)
    else next()
  }
}

/** Writes a refusal to Node's response, for the adapters that have one. */
import type { Refusal } from '../refusal.ts'

export interface NodeResponse {
  statusCode: number
  setHeader(name: string, value: string): unknown
  end(body: string): unknown
}

/** Headers that were set before stay: a page must be able to read the refusal across origins. */
export function sendRefusal(response: NodeResponse, { status, headers, body }: Refusal): void {
  response.statusCode = status
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
  response.end(JSON.stringify(body))
}

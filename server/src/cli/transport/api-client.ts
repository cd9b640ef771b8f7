/** What every command is written against. There are two: over the network, and in process on the data folder. */

export interface ApiRequest {
  /** Members that are undefined are left away. */
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>
  /** Sent as JSON. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

export interface ApiResponse {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** Parsed where it is JSON, text otherwise. */
  readonly body: unknown
}

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

export interface ApiClient {
  /** For messages: the server's address, or the data folder. */
  readonly target: string
  readonly isLocal: boolean
  /** Rejects with ApiUnreachable only: a refusal is a response. */
  request(method: Method, path: string, request?: ApiRequest): Promise<ApiResponse>
  /** The lines of an NDJSON answer as they come. Throws ApiRefusal for a status other than 2xx, StreamCut for half an answer. */
  stream(method: Method, path: string, request?: ApiRequest): AsyncGenerator<string, void, undefined>
  close(): Promise<void>
}

/** RFC 9457, as far as it can be relied on: something between us and the server may have answered. */
export interface Problem {
  readonly code: string
  readonly detail: string
  readonly errors: readonly { readonly pointer: string; readonly detail: string }[]
}

/** The server answered no. */
export class ApiRefusal extends Error {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly problem: Problem | undefined

  constructor(response: ApiResponse) {
    const problem = problemOf(response.body)
    super(problem?.detail ?? `The server answered ${response.status}.`)
    this.name = 'ApiRefusal'
    this.status = response.status
    this.headers = response.headers
    this.problem = problem
  }
}

/** No answer, or none that can be understood. */
export class ApiUnreachable extends Error {
  override name = 'ApiUnreachable'
  /** `ECONNREFUSED`, `ENOTFOUND`, a TLS code, … */
  readonly reason: string
  /** It answered earlier: then it may only be restarting. */
  readonly wasReached: boolean

  constructor(message: string, reason: string, more: { wasReached?: boolean; cause?: unknown } = {}) {
    super(message, { cause: more.cause })
    this.reason = reason
    this.wasReached = more.wasReached ?? false
  }
}

/** The connection ended in the middle of a stream. */
export class StreamCut extends Error {
  override name = 'StreamCut'
}

/** The body of a 2xx answer; throws ApiRefusal otherwise. */
export async function call<T>(
  client: ApiClient,
  method: Method,
  path: string,
  request?: ApiRequest,
): Promise<T> {
  const response = await client.request(method, path, request)
  if (response.status < 200 || response.status > 299) throw new ApiRefusal(response)
  if (response.status !== 204 && typeof response.body !== 'object')
    throw new ApiUnreachable(`${client.target} did not answer as a Postern server does.`, 'not_postern')
  return response.body as T
}

function problemOf(body: unknown): Problem | undefined {
  if (typeof body !== 'object' || body === null) return undefined
  const { code, detail, title, errors } = body as Record<string, unknown>
  if (typeof code !== 'string') return undefined
  return {
    code,
    detail: typeof detail === 'string' ? detail : String(title ?? code),
    errors: Array.isArray(errors) ? (errors as Problem['errors']) : [],
  }
}

/**
 * Bytes that never became a request: not HTTP, headers too large, too slow. There is no reply object yet, so the problem
 * is written to the socket by hand and the connection closed.
 */
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { PosternError } from '../kernel/index.ts'
import { PROBLEM_TYPE, problemOf, problemText } from './problem.ts'
import { API_HEADERS } from './security-headers.ts'

const FAULTS: Readonly<Record<string, ConstructorParameters<typeof PosternError>>> = {
  HPE_HEADER_OVERFLOW: ['header_fields_too_large', 'The header fields together are larger than 16 kB.'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: ['payload_too_large', 'The chunk extensions are too large.'],
  ERR_HTTP_REQUEST_TIMEOUT: ['request_timeout', 'The request took too long to arrive.'],
}

/** Sockets that have had their answer; what still arrives on them is read and thrown away. */
const answered = new WeakSet<Socket>()

/** Closing with unread bytes would be a reset, which takes the answer away before the client has read it. */
const LINGER_MS = 500

export function answerClientError(error: Error & { code?: string }, socket: Socket): void {
  if (answered.has(socket)) return
  // A reset peer hears nothing; and while an answer is under way, a second one would be read as part of it. The member
  // is the one that Node's own handler looks at; there is no public word for it.
  const isAnswering = Reflect.get(socket, '_httpMessage') != null
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable || isAnswering) {
    socket.destroy()
    return
  }
  const [code, detail] = FAULTS[error.code ?? ''] ?? ['invalid_request', 'This is not an HTTP request.']
  const problem = problemOf(new PosternError(code, detail))
  const body = problemText(problem, 'none')
  const headers = { ...API_HEADERS, 'content-type': PROBLEM_TYPE, connection: 'close' }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  const head = `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? ''}\r\n${lines.join('')}`
  answered.add(socket)
  setTimeout(() => socket.destroy(), LINGER_MS).unref()
  socket.end(`${head}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
}

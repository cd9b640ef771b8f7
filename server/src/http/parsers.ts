/** The bodies that are taken: JSON, and lines of JSON or a form where a route says so. Everything else is a 415. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { PosternError } from '../kernel/index.ts'
import { parseForm } from './form-body.ts'
import { parseJson, parseNdjson } from './json-body.ts'
import { refuseNulInBody } from './nul.ts'

export function addParsers(server: FastifyInstance): void {
  server.removeAllContentTypeParsers()

  server.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, bytes: Buffer, done) => {
    try {
      // Every way in but the form itself is closed: nothing else is checked for coming from our own page.
      if (request.routeOptions.config.form === true) throw notTaken('application/x-www-form-urlencoded')
      // Nothing is made of it before its signature has been checked.
      if (request.routeOptions.config.signed === true) return done(null, bytes)
      // Clients send the type without a body, too; whether one is needed is the schema's to say.
      if (bytes.length === 0) return done(null, undefined)
      const value = parseJson(bytes)
      keepRaw(request, bytes)
      if (bytes.includes('\\u0000') && takesNoNul(request)) refuseNulInBody(bytes.toString('utf8'), value)
      done(null, value)
    } catch (error) {
      done(error as Error, undefined)
    }
  })

  server.addContentTypeParser(
    'application/x-ndjson',
    { parseAs: 'buffer' },
    (request, bytes: Buffer, done) => {
      try {
        if (request.routeOptions.config.ndjson !== true) throw notTaken('application/json')
        const lines = parseNdjson(bytes)
        keepRaw(request, bytes)
        if (bytes.includes('\\u0000')) refuseNulInBody(bytes.toString('utf8'), lines)
        done(null, lines)
      } catch (error) {
        done(error as Error, undefined)
      }
    },
  )

  server.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'buffer' },
    (request, bytes: Buffer, done) => {
      try {
        if (request.routeOptions.config.form !== true) throw notTaken('application/json')
        done(null, parseForm(bytes))
      } catch (error) {
        done(error as Error, undefined)
      }
    },
  )
}

function notTaken(type: string): PosternError {
  return new PosternError('unsupported_media_type', `Send the body as ${type}.`)
}

function keepRaw(request: FastifyRequest, bytes: Buffer): void {
  if (request.idempotencyKey !== undefined) request.rawBody = bytes
}

function takesNoNul(request: FastifyRequest): boolean {
  return request.routeOptions.config.access?.kind !== 'verifier'
}

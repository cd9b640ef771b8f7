/**
 * The log: JSON lines, or text for a person at a terminal. Every finished line passes the redaction of credentials, so
 * that it does not matter where one turned up: a header, a body, a URL, an error three causes deep.
 */
import { redactCredentials } from '../kernel/index.ts'
import { createRequire } from 'node:module'
import { pino, stdSerializers } from 'pino'
import type { DestinationStream, Logger } from 'pino'
import type { PinoPretty } from 'pino-pretty'

export interface LoggerOptions {
  readonly logLevel: string
  readonly logFormat: 'json' | 'pretty'
}

/** `destination` is for tests; otherwise standard output, or standard error for `pretty` lines. */
export function createLogger(options: LoggerOptions, destination?: DestinationStream): Logger {
  return pino(
    {
      level: options.logLevel,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: stdSerializers.errWithCause, error: stdSerializers.errWithCause },
      redact: {
        paths: sensitivePaths(),
        censor: '[redacted]',
      },
      hooks: { streamWrite: redactLine },
    },
    options.logFormat === 'pretty'
      ? loadPretty()({
          ignore: 'hostname,pid',
          translateTime: 'SYS:HH:MM:ss',
          ...(destination && { destination: destination as NodeJS.WritableStream, colorize: false }),
        })
      : (destination ?? pino.destination({ fd: 1, sync: false })),
  )
}

/** Loaded only where a person reads the log. */
function loadPretty(): typeof PinoPretty {
  return createRequire(import.meta.url)('pino-pretty') as typeof PinoPretty
}

/** Members that are a secret whatever they look like, at the depths at which requests and errors carry them. */
const SENSITIVE = [
  'authorization',
  'cookie',
  'credential',
  'databaseUrl',
  'password',
  'rootSecret',
  '["proxy-authorization"]',
  '["set-cookie"]',
  '["x-api-key"]',
]

function sensitivePaths(): string[] {
  return ['', '*', '*.*', '*.*.*'].flatMap((prefix) =>
    SENSITIVE.map((name) =>
      prefix === '' || name.startsWith('[') ? `${prefix}${name}` : `${prefix}.${name}`,
    ),
  )
}

/**
 * A database URL's password is no credential of ours, and turns up in drivers' errors; so does an SMTP server's. What is
 * secret in the address of an e-mail's link stands in its path.
 */
function redactLine(line: string): string {
  return redactCredentials(line)
    .replace(/(:\/\/[^\s/:@"]*:)[^\s@"]+@/g, '$1[redacted]@')
    .replace(/(\/link\/[a-z_]+\/)[\w-]{43}/g, '$1[redacted]')
}

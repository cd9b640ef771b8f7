/** Sending through an SMTP server. Without TLS only on loopback. */
import type { MailTransport } from './mailer.ts'

const TIMEOUT_MS = 20_000

/** `url`: `smtps://user:password@host:465`, or `smtp://…:587`, which is upgraded by STARTTLS or not used. */
export function smtpTransport(url: string, from: string): MailTransport {
  const { hostname } = new URL(url)
  const isLoopback = /^(localhost|127\.|\[::1\])/.test(hostname)
  let transport: Promise<{ sendMail(mail: object): Promise<unknown> }> | undefined
  const open = async () => {
    const { createTransport } = await import('nodemailer')
    return createTransport({
      url,
      requireTLS: !isLoopback && url.startsWith('smtp:'),
      connectionTimeout: TIMEOUT_MS,
      greetingTimeout: TIMEOUT_MS,
      socketTimeout: TIMEOUT_MS,
      // Nothing in a message is a file's name or an address to fetch.
      disableFileAccess: true,
      disableUrlAccess: true,
    } as never) as { sendMail(mail: object): Promise<unknown> }
  }
  return {
    async send({ to, subject, text }) {
      const smtp = await (transport ??= open())
      // As an object: an address is one address, whatever signs are in it.
      await smtp.sendMail({ from, to: { name: '', address: to }, subject, text })
    },
  }
}

/** The device flow's pages (RFC 8628): type the code that the device shows, look at who asks, allow or refuse. */
import type { KoaContextWithOIDC } from 'oidc-provider'
import { html, Markup, renderFormPage } from '../http/index.ts'
import { nameOf, send } from './engine-pages.ts'

interface Faulty {
  readonly name?: string
  readonly userCode?: string
}

export const devicePages = {
  async userCodeInputSource(
    ctx: KoaContextWithOIDC,
    form: string,
    _out?: unknown,
    error?: Faulty,
  ): Promise<void> {
    const problem =
      error === undefined
        ? undefined
        : error.userCode !== undefined || error.name === 'NoCodeError'
          ? 'That code is not one that waits. Look at the device again.'
          : error.name === 'AbortedError'
            ? 'Nothing was allowed. You can close this page.'
            : 'That did not work. Start again on the device.'
    send(
      ctx,
      renderFormPage({
        title: `${problem === undefined ? '' : 'Error: '}Connect a device – Postern`,
        body: html`<h1>Connect a device</h1>
          ${problem !== undefined && html`<div class="problem" role="alert"><p>${problem}</p></div>`}
          <p>Type the code that the device shows. Go on only if you started this yourself.</p>
          ${withoutScript(form)}
          <p><button type="submit" form="op.deviceInputForm">Continue</button></p>`,
      }),
    )
  },

  async userCodeConfirmSource(
    ctx: KoaContextWithOIDC,
    form: string,
    _client: unknown,
    _deviceInfo: unknown,
    userCode: string,
  ): Promise<void> {
    send(
      ctx,
      renderFormPage({
        title: 'Is this your device? – Postern',
        body: html`<h1>Is this your device?</h1>
          <p><strong>${nameOf(ctx)}</strong> shows this code:</p>
          <p><strong>${userCode}</strong></p>
          <p>If it is not what you see on your own device, cancel.</p>
          ${withoutScript(form)}
          <p>
            <button type="submit" form="op.deviceConfirmForm">It is</button>
            <button
              type="submit"
              form="op.deviceConfirmForm"
              class="second"
              name="abort"
              value="yes"
              formnovalidate
            >
              Cancel
            </button>
          </p>`,
      }),
    )
  },

  async successSource(ctx: KoaContextWithOIDC): Promise<void> {
    send(
      ctx,
      renderFormPage({
        title: 'Connected – Postern',
        body: html`<h1>${nameOf(ctx)} is connected</h1>
          <p>Go back to the device. You can close this page.</p>`,
      }),
    )
  },
}

/** The engine's own form, without the handlers that our policy would not run. */
function withoutScript(form: string): Markup {
  return new Markup(form.replace(/\son\w+="[^"]*"/g, '').replace(/<script[\s\S]*?<\/script>/g, ''))
}

// The official Node.js SDK against the base URL that is given; prints what it was told as JSON.
const [, , folder, baseUrl, key, to] = process.argv;
const { Resend } = require(`${folder}/node_modules/resend`);

const mail = (changes) => ({
  from: "Acme <hi@acme.example>",
  to: [to],
  subject: "Hello",
  html: "<p>Hello from Node</p>",
  ...changes,
});

const data = (answer) => {
  if (answer.error) throw new Error(JSON.stringify(answer.error));
  return answer.data;
};

const fault = (answer) => [answer.error.name, answer.error.statusCode];

const main = async () => {
  const resend = new Resend(key, { baseUrl });
  const said = {};
  const first = mail({
    replyTo: "help@acme.example",
    attachments: [
      { filename: "buffer.txt", content: Buffer.from("buffer") },
      { filename: "logo.png", content: Buffer.from("png").toString("base64"), contentId: "logo" },
    ],
  });
  said.sent = data(await resend.emails.send(first, { idempotencyKey: "n1" })).id;
  said.replayed = data(await resend.emails.send(first, { idempotencyKey: "n1" })).id;
  said.conflict = fault(await resend.emails.send(mail({ subject: "x" }), { idempotencyKey: "n1" }));
  said.shown = data(await resend.emails.get(said.sent));
  said.files = data(await resend.emails.attachments.list({ emailId: said.sent })).data.map((file) => [
    file.filename,
    file.size,
  ]);
  const inAnHour = new Date(Date.now() + 3600e3).toISOString();
  said.later = data(await resend.emails.send(mail({ scheduledAt: "in 1 hour" }))).id;
  said.moved = data(await resend.emails.update({ id: said.later, scheduledAt: inAnHour })).id;
  said.canceled = data(await resend.emails.cancel(said.later)).id;
  said.later_event = data(await resend.emails.get(said.later)).last_event;
  said.batch = data(await resend.batch.send([mail({ subject: "1" }), mail({ subject: "2" })])).data.length;
  const mixed = data(
    await resend.batch.send([mail({ to: "nobody" }), mail({ subject: "3" })], { batchValidation: "permissive" }),
  );
  said.permissive = [mixed.data.length, mixed.errors.map((error) => error.index)];
  said.missing = fault(await resend.emails.send(mail({ subject: undefined })));
  said.limited = fault(await resend.emails.send(mail({ to: "x+fault-429@outside.example" })));
  said.wrong_key = fault(await new Resend("re_wrong", { baseUrl }).emails.send(mail({})));
  console.log(JSON.stringify(said));
};

main().catch((error) => {
  console.error(error);
  process.exit(1);
});

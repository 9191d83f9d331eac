async function sendMailPushEmail({ apiSecret, tempId, toEmail, variables = {}, sendTime = "" }) {
const response = await fetch("https://mail.push.xiaocx.cc/api/send_email_v2", {
method: "POST",
headers: {
"Content-Type": "application/json;charset=UTF-8",
"token": apiSecret
},
body: JSON.stringify({
temp_id: tempId,
to_email: toEmail,
content: JSON.stringify(variables),
send_time: sendTime
})
});
const result = await response.json();
if (result.status !== 1 || !result.data || !result.data.task_id) {
throw new Error(result.data?.msg || result.msg || "mail_push send failed");
}
return result.data.task_id;
}

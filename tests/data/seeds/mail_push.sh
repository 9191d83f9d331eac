curl -X POST 'https://mail.push.xiaocx.cc/api/send_email_v2' \
-H 'Content-Type: application/json;charset=UTF-8' \
-H 'token: MAIL_PUSH_API_SECRET' \
-d '{
"temp_id": 1,
"to_email": "user@example.com",
"content": "{\"name\":\"张三\",\"order_no\":\"NO001\"}",
"send_time": "2026-07-04 10:00:00"
}'

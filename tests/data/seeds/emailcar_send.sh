curl -d 'api_user=***&api_pwd=***&from=support@emailcar.net&fromname=Emailcar&to=test@emailcar.net;test1@emailcar.net&subject=欢迎使用Emailcar&html=Emailcar为您服务！' http://webapi.emailcar.net/v1/mail/send

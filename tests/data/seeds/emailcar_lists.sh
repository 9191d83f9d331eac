curl -d 'api_user=***&api_pwd=***&start_date=2012-01-01&end_date=2012-01-02' http://webapi.emailcar.net/v1/mail/lists

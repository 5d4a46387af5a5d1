"""The room of ``bedrock-converse-stream``: Amazon Bedrock's ConverseStream (wire reference, 5)."""

INSERT INTO created (role, description, input_data) VALUES (:role, :description, :input_data);
